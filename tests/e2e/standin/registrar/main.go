// Stand-in for node-driver-registrar: tells kubelet of a CSI driver.
package main

import (
	"context"
	"flag"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"google.golang.org/grpc"
	registration "k8s.io/kubelet/pkg/apis/pluginregistration/v1"

	"famfs.io/csi/tests/e2e/standin"
)

type registrar struct {
	registration.UnimplementedRegistrationServer
	name, endpoint string
}

func (r registrar) GetInfo(context.Context, *registration.InfoRequest) (*registration.PluginInfo, error) {
	return &registration.PluginInfo{
		Type: registration.CSIPlugin, Name: r.name, Endpoint: r.endpoint, SupportedVersions: []string{"1.0.0"},
	}, nil
}

// A refused registration ends the process: its container is started again, and
// with it kubelet's attempt.
func (r registrar) NotifyRegistrationStatus(_ context.Context, status *registration.RegistrationStatus) (*registration.RegistrationStatusResponse, error) {
	if !status.PluginRegistered {
		log.Fatalf("kubelet refused %s: %s", r.name, status.Error)
	}
	log.Printf("kubelet registered %s", r.name)
	return &registration.RegistrationStatusResponse{}, nil
}

func main() {
	address := flag.String("csi-address", "/run/csi/socket", "the driver's socket")
	endpoint := flag.String("kubelet-registration-path", "", "the driver's socket as kubelet reaches it")
	directory := flag.String("plugin-registration-path", "/registration", "where kubelet looks for plugins")
	health := flag.String("http-endpoint", "", "address of /healthz")
	timeout := flag.Duration("timeout", time.Second, "of a call to the driver")
	flag.Int("v", 0, "ignored")
	flag.Parse()

	driver, err := standin.Connect(*address)
	if err != nil {
		log.Fatal(err)
	}
	name := standin.DriverName(driver, *timeout)
	socket := filepath.Join(*directory, name+"-reg.sock")
	if err := os.Remove(socket); err != nil && !os.IsNotExist(err) {
		log.Fatal(err)
	}
	listener, err := net.Listen("unix", socket)
	if err != nil {
		log.Fatal(err)
	}
	if *health != "" {
		go func() {
			log.Fatal(standin.ServeHealth(*health, func() error {
				_, err := os.Stat(socket)
				return err
			}))
		}()
	}
	server := grpc.NewServer()
	registration.RegisterRegistrationServer(server, registrar{name: name, endpoint: *endpoint})
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		<-stop
		server.Stop() // closing the listener unlinks the socket
	}()
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}
}
