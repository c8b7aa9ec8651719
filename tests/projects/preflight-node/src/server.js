'use strict'
const config = require('../config')
const express = require('express')
const { connect } = require('./database')

async function main() {
  const database = await connect(config.database)
  const orders = require('./routes/orders')
  const app = express()
  app.use(express.json())
  app.get('/health', (request, response) => response.json({ status: 'up' }))
  app.use('/orders', orders(database))
  app.listen(config.port, () => console.log(`listening on ${config.port}`))
}

main().catch((error) => {
  console.error(error.message)
  process.exit(1)
})
