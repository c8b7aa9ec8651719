exports.type = 'text/yaml'
exports.write = products => require('js-yaml').dump(products)
