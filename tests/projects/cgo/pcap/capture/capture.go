package capture

import "github.com/google/gopacket/pcap"

func Names() (names []string) {
	found, _ := pcap.FindAllDevs()
	for _, one := range found {
		names = append(names, one.Name)
	}
	return names
}
