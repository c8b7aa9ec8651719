// Shop uses each kind of declaration of package store once.
package main

import (
	"fmt"
	"os"

	"example.com/shop/plain"
	"example.com/shop/store"
)

func main() {
	shelf := store.NewShelf[int](store.Large)
	shelf.Put(store.Add(len(store.Table), int(store.Wait)))
	var keeper store.Keeper = store.Default
	if err := keeper.Keep(os.Args[0]); err != nil && err != store.ErrFull {
		fmt.Fprintln(os.Stderr, err, store.Help)
	}
	goods, _ := store.Goods.ReadFile("goods.txt")
	fmt.Println(plain.Title(string(goods)), shelf.Take(), store.Find("a"), store.Price{Box: store.Box{Side: 2}}.Volume())
}
