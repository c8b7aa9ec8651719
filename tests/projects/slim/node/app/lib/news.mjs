export default { news: ['a', 'b'] }
