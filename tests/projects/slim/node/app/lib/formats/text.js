const { format } = require('util')
exports.type = 'text/plain'
exports.write = products => products.map(product => format('%d %s %d', product.id, product.name, product.price)).join('\n')
