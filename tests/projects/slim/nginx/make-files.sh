#!/bin/sh
# The files that the sites show; made once, when the image is built.
set -e
mkdir -p /srv/files/deep/er /srv/staff /srv/pictures /srv/xml /srv/ssi /srv/site/errors
for kind in html htm css js json xml txt svg png jpg gif webp ico woff woff2 pdf zip gz mp4 mp3 webm wasm jar doc xls rss atom jad bin iso deb 7z eot ttf csv md none; do
  perl -e 'print "a file of kind $ARGV[0], line $_\n" for 1..60' "$kind" >"/srv/files/file.$kind"
done
perl -e 'print chr(($_ * $_) % 251) for 1..300000' >/srv/files/large.dat
echo 'caf\303\251 \320\277\321\200\320\270\320\262\320\265\321\202' >/srv/files/words.txt
cp /srv/files/file.txt /srv/files/deep/er/leaf.txt
echo 'for staff only' >/srv/staff/list.txt
cp /srv/site/dot.gif /srv/pictures/dot.gif
printf '<page><item>one</item><item>two</item></page>' >/srv/xml/page.xml
printf '<p><!--#echo var="request_uri" --> <!--#include virtual="/files/file.txt" --></p>' >/srv/ssi/index.html
find /srv /var/www -exec touch --date=2026-10-01T10:00:00Z {} +
