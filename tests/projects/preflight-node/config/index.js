'use strict'
require('dotenv').config()

module.exports = {
  port: Number(process.env.PORT || 3000),
  database: { url: process.env.DATABASE_URL, poolSize: Number(process.env.DATABASE_POOL_SIZE || 3) },
  queue: { url: process.env.QUEUE_API_URL, apiKey: process.env.QUEUE_API_KEY },
  cache: {
    url: process.env.CACHE_API_URL,
    tokenUrl: process.env.CACHE_API_TOKEN_URL,
    clientId: process.env.CACHE_API_CLIENT_ID,
    clientSecret: process.env.CACHE_API_CLIENT_SECRET,
  },
}
