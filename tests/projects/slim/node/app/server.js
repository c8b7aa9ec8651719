'use strict'
// A shop in Express; several routes load what they need only when they are asked.
const express = require('express')
const compression = require('compression')
const cookies = require('cookie-parser')
const fs = require('fs')
const path = require('path')

const settings = JSON.parse(fs.readFileSync(path.join(__dirname, 'config', `${process.env.SHOP_SETTINGS || 'development'}.json`)))
const products = JSON.parse(fs.readFileSync(path.join(__dirname, 'content', 'products.json')))
const instant = new Date('2026-07-01T12:00:00Z')

const app = express()
app.set('views', path.join(__dirname, 'views'))
app.set('view engine', 'ejs')
app.set('json spaces', settings.spaces)
app.use(compression({ threshold: 500 }))
app.use(cookies())
app.use(express.json({ limit: '1mb' }))
app.use(express.urlencoded({ extended: true }))
app.use('/public', express.static(path.join(__dirname, 'public'), { lastModified: false, etag: true, setHeaders: res => res.set('ETag', `"${res.req.path.length}"`) }))
app.use('/content', require('serve-index')(path.join(__dirname, 'content'), { view: 'tiles' }), express.static(path.join(__dirname, 'content')))

app.get('/', (req, res) => res.render('home', { title: settings.title }))
app.get('/products', (req, res) => res.format({
  html: () => res.render('products', { products }),
  json: () => res.json(products),
  default: () => res.status(406).end()
}))
app.get('/products/:id(\\d+)', (req, res, next) => {
  const found = products.find(product => product.id === Number(req.params.id))
  return found ? res.json(found) : next()
})
app.get('/about', (req, res) => res.render('about.pug', { title: settings.title, day: instant.toISOString() }))
app.post('/orders', (req, res) => {
  if (!Array.isArray(req.body.items)) return res.status(422).json({ error: 'items is missing' })
  const total = req.body.items.reduce((sum, item) => sum + (products.find(product => product.id === item.id) || { price: 0 }).price * item.count, 0)
  res.status(201).json({ total })
})
app.get('/time/*', (req, res) => {
  try {
    res.json({ local: instant.toLocaleString('en-GB', { timeZone: req.params[0], timeZoneName: 'short' }) })
  } catch (error) {
    res.status(404).json({ error: error.message })
  }
})
app.get('/money/:locale', (req, res) => {
  try {
    res.json({
      price: new Intl.NumberFormat(req.params.locale, { style: 'currency', currency: 'EUR' }).format(1234.5),
      day: new Intl.DateTimeFormat(req.params.locale, { dateStyle: 'full', timeZone: 'UTC' }).format(instant),
      list: new Intl.ListFormat(req.params.locale).format(['a', 'b', 'c'])
    })
  } catch (error) {
    res.status(400).json({ error: error.message })
  }
})
app.get('/sorted/:locale', (req, res) => res.json(['z', 'ä', 'a', 'ö', 'o', 'å'].sort(new Intl.Collator(req.params.locale).compare)))
app.get('/day/:locale', (req, res) => {
  const dayjs = require('dayjs')
  try {
    require(`dayjs/locale/${req.params.locale}`)
  } catch {
    return res.status(404).json({ error: 'no such locale' })
  }
  res.json({ day: dayjs('2026-03-02').locale(req.params.locale).format('dddd D MMMM YYYY') })
})
app.get('/here', (req, res) => res.json({ here: instant.toString(), zone: Intl.DateTimeFormat().resolvedOptions().timeZone }))
app.use('/formats', require('./routes/formats'))
app.get('/pages/:name', (req, res, next) => {
  const file = path.join(__dirname, 'content', `${req.params.name}.md`)
  if (!fs.existsSync(file)) return next()
  res.send(require('marked').parse(fs.readFileSync(file, 'utf8')))
})
app.get('/hash/:name', (req, res, next) => {
  const { createHash, getHashes } = require('crypto')
  return getHashes().includes(req.params.name) ? res.send(createHash(req.params.name).update('the same words').digest('hex')) : next()
})
app.post('/pack/:name', express.raw({ type: '*/*', limit: '2mb' }), (req, res, next) => {
  const zlib = require('zlib')
  const pairs = { gzip: ['gzipSync', 'gunzipSync'], br: ['brotliCompressSync', 'brotliDecompressSync'], deflate: ['deflateSync', 'inflateSync'] }
  const pair = pairs[req.params.name]
  return pair ? res.type('text').send(zlib[pair[1]](zlib[pair[0]](Buffer.from(req.body)))) : next()
})
app.get('/decode/:name', (req, res) => {
  try {
    res.json({ text: new TextDecoder(req.params.name).decode(Buffer.from('c3a4e29883', 'hex')) })
  } catch (error) {
    res.status(404).json({ error: error.code })
  }
})
app.get('/trust', (req, res) => res.json({ roots: require('tls').rootCertificates.length > 100, file: fs.existsSync('/etc/ssl/certs/ca-certificates.crt') }))
app.get('/who', (req, res) => {
  const { username, homedir, shell } = require('os').userInfo()
  res.json({ username, homedir, shell })
})
app.get('/module/:name', (req, res, next) => {
  if (!settings.modules.includes(req.params.name)) return next()
  res.json({ keys: Object.keys(require(req.params.name)).length > 0 })
})
app.get('/later/:name', async (req, res, next) => {
  try {
    res.json((await import(`./lib/${path.basename(req.params.name)}.mjs`)).default)
  } catch (error) {
    next(error.code === 'ERR_MODULE_NOT_FOUND' ? undefined : error)
  }
})
app.get('/sum/:to(\\d+)', (req, res, next) => {
  const { Worker } = require('worker_threads')
  new Worker(path.join(__dirname, 'lib', 'sum.js'), { workerData: Number(req.params.to) }).on('message', sum => res.json({ sum })).on('error', next)
})
app.get('/child', (req, res, next) => {
  require('child_process').execFile(process.execPath, ['-p', '6*7'], (error, stdout) => error ? next(error) : res.type('text').send(stdout))
})
app.all('/echo', (req, res) => res.json({ method: req.method, query: req.query, body: req.body }))
app.get('/cookie', (req, res) => res.cookie('basket', '3', { httpOnly: true }).json({ seen: req.cookies.basket || null }))
app.get('/old', (req, res) => res.redirect(301, '/'))
app.get('/status/:code(\\d+)', (req, res) => res.sendStatus(Number(req.params.code)))
app.get('/broken', () => { throw new Error('as it was asked to') })
app.use((req, res) => res.status(404).render('missing', { path: req.path }))
app.use((error, req, res, next) => res.status(error.status || 500).json({ error: error.message }))

app.listen(settings.port, '0.0.0.0', () => console.log(`listening on ${settings.port}`))
process.on('SIGTERM', () => process.exit(0))
