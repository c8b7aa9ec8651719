'use strict'
const test = require('node:test')
const assert = require('node:assert')

test('a router is made for a database', () => {
  assert.equal(typeof require('../src/routes/orders'), 'function')
})
