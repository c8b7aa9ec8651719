'use strict'
const { queue } = require('../config')

exports.send = (message) =>
  fetch(queue.url, {
    method: 'POST',
    headers: { 'x-api-key': queue.apiKey, 'content-type': 'application/json' },
    body: JSON.stringify(message),
  })
