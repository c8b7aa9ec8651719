import news from './news.mjs'
export default { offers: news.news.length }
