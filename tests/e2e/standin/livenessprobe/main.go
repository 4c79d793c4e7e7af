// Stand-in for livenessprobe: /healthz says whether a CSI driver answers Probe.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"

	"famfs.io/csi/tests/e2e/standin"
)

func main() {
	address := flag.String("csi-address", "/run/csi/socket", "the driver's socket")
	timeout := flag.Duration("probe-timeout", time.Second, "of a Probe")
	port := flag.String("health-port", "9808", "port of /healthz, where --http-endpoint is not given")
	health := flag.String("http-endpoint", "", "address of /healthz")
	flag.Int("v", 0, "ignored")
	flag.Parse()
	if *health == "" {
		*health = ":" + *port
	}
	driver, err := standin.Connect(*address)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(standin.ServeHealth(*health, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), *timeout)
		defer cancel()
		answer, err := csi.NewIdentityClient(driver).Probe(ctx, &csi.ProbeRequest{})
		if err != nil {
			return err
		}
		if ready := answer.GetReady(); ready != nil && !ready.GetValue() {
			return errors.New("the driver says that it is not ready")
		}
		return nil
	}))
}
