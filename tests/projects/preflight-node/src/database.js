'use strict'
const { Pool } = require('pg')

exports.connect = async ({ url, poolSize }) => {
  const pool = new Pool({ connectionString: url, max: poolSize })
  await Promise.all(Array.from({ length: poolSize }, () => pool.query('SELECT 1')))
  return pool
}
