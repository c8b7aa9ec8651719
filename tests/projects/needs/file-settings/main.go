// A file of settings that a library finds by its folder and its name, whatever its type.
package main

import (
	"fmt"
	"os"

	"example.com/file-settings/viper"
)

func main() {
	viper.SetConfigName("app")
	viper.AddConfigPath("./configs")
	if err := viper.ReadInConfig(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
