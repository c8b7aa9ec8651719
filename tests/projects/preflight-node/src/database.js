'use strict'
const { Pool } = require('pg')

exports.connect = async ({ url }) => {
  const pool = new Pool({ connectionString: url, max: 5 })
  await pool.query('SELECT 1')
  return pool
}
