exports.type = 'text/csv'
exports.write = products => products.map(product => Object.values(product).join(',')).join('\n')
