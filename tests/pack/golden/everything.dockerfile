# Written by proa: the same program with the same files as `proa ship` would pack.
FROM --platform=$BUILDPLATFORM golang:1.26.8 AS build
ARG TARGETOS TARGETARCH
ENV GOEXPERIMENT="x"
WORKDIR /src
COPY . .
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -tags=netgo,prod '-ldflags=-s -w -X main.version=1' -o /rootfs/app/shop ./cmd/shop && chmod 0555 /rootfs/app/shop

RUN apt-get update && apt-get install --yes --no-install-recommends ca-certificates tzdata media-types
# main.run needs certificates (main.go:7)
RUN mkdir -p /rootfs/etc/ssl/certs && cp -rL /etc/ssl/certs/ca-certificates.crt /rootfs/etc/ssl/certs/
# main.run needs zones (main.go:7)
RUN mkdir -p /rootfs/usr/share && cp -rL /usr/share/zoneinfo /rootfs/usr/share/
# main.run needs mime (main.go:7)
RUN mkdir -p /rootfs/etc && cp -rL /etc/mime.types /rootfs/etc/
# main.run needs users (main.go:7)
RUN mkdir -p /rootfs/etc && printf 'root:x:0:0:root:/root:/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin\nnonroot:x:10001:10001:nonroot:/:/sbin/nologin\n' > /rootfs/etc/passwd
RUN mkdir -p /rootfs/etc && printf 'root:x:0:\nnogroup:x:65534:\nnobody:x:65534:\nnonroot:x:10001:\n' > /rootfs/etc/group
# main.run needs tmp (main.go:7)
RUN install --directory --mode=1777 /rootfs/tmp
# main.load opens it
COPY ["templates", "/rootfs/srv/templates"]
COPY ["./cmd/shop/kodata", "/rootfs/var/run/ko"]
COPY --chmod=0755 --chown=1:2 ["run.sh", "/rootfs/bin/"]

FROM scratch
COPY --from=build /rootfs/ /
ENV KO_DATA_PATH=/var/run/ko
ENV PRICE="\$5 \"net\""
WORKDIR /srv
EXPOSE 8080/tcp
EXPOSE 53/udp
USER 10001:10001
ENTRYPOINT ["/app/shop"]
CMD ["--say", "it \"loud\""]
