'use strict'
// /formats/NAME: a writer that is loaded when it is first asked for.
const fs = require('fs')
const path = require('path')
const router = require('express').Router()
const folder = path.join(__dirname, '..', 'lib', 'formats')
const products = require('../content/products.json')

router.get('/', (req, res) => res.json(fs.readdirSync(folder).sort()))
router.get('/:name', (req, res, next) => {
  const file = path.join(folder, `${path.basename(req.params.name)}.js`)
  if (!fs.existsSync(file)) return next()
  const format = require(file)
  res.type(format.type).send(format.write(products))
})
module.exports = router
