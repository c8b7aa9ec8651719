// Package place says where people are.
package place

// Office is where the office is.
const Office = continent + "/Tokyo"

const continent = "Asia"
