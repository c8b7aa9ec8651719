// Package viper finds a file as github.com/spf13/viper does.
package viper

import (
	"os"
	"path"
)

var folders, names []string

func AddConfigPath(folder string) { folders = append(folders, folder) }

func SetConfigName(name string) { names = append(names, name) }

func ReadInConfig() error {
	_, err := os.Stat(path.Join(folders[0], names[0]+extension()))
	return err
}

func extension() string { return string([]byte{'.', 'y', 'a', 'm', 'l'}) }
