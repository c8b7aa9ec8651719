<!doctype html><ul><#list products as product><li>${product.name()}: ${product.price()?string["0.00"]}</li></#list></ul>
