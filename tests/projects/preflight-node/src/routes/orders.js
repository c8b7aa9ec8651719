'use strict'
const { Router } = require('express')
const { prices } = require('../cache')
const { send } = require('../queue')

module.exports = (database) => {
  const router = Router()
  router.get('/', async (request, response) => {
    const { rows } = await database.query('SELECT id, item FROM orders ORDER BY id DESC LIMIT 50')
    response.json({ orders: rows, prices: await prices() })
  })
  router.post('/', async (request, response) => {
    await send(request.body)
    response.status(202).end()
  })
  return router
}
