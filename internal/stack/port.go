package stack

import (
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strconv"
)

// Our ports lie below the kernel's usual range for outgoing connections (32768 and up), so that between choosing a port and
// a server's binding it only another stack could take it. Then the server ends at once and is started on another one.
const (
	firstPort = 20000
	lastPort  = 32000
)

// freePorts picks n different ports that are free on the loopback now.
func freePorts(n int) ([]int, error) {
	ports := make([]int, 0, n)
	for range 1000 {
		if len(ports) == n {
			return ports, nil
		}
		port := firstPort + rand.IntN(lastPort-firstPort)
		if !slices.Contains(ports, port) && portFree(port) {
			ports = append(ports, port)
		}
	}
	return nil, fmt.Errorf("no %d free ports on 127.0.0.1 between %d and %d", n, firstPort, lastPort)
}

// portFree tells whether a server could bind the port now.
func portFree(port int) bool {
	l, err := net.Listen("tcp4", loopback(port))
	if err != nil {
		return false
	}
	return l.Close() == nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
