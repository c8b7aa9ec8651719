<!doctype html><h1>There is no ${path}</h1>
