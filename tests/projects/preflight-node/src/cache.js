'use strict'
const { cache } = require('../config')

async function token() {
  const answer = await fetch(cache.tokenUrl, {
    method: 'POST',
    headers: { authorization: 'Basic ' + Buffer.from(`${cache.clientId}:${cache.clientSecret}`).toString('base64') },
    body: new URLSearchParams({ grant_type: 'client_credentials' }),
  })
  return (await answer.json()).access_token
}

exports.prices = async () => {
  const answer = await fetch(cache.url, { headers: { authorization: `Bearer ${await token()}` } })
  return answer.json()
}
