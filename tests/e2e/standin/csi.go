// Package standin has what the stand-ins for two of the usual sidecars share.
//
// node-driver-registrar and livenessprobe are published as images only, not as
// Go modules, so a cluster without a registry cannot have them. These take their
// place there, with the flags, the socket names and the endpoints that charts
// rely on. They are for the tests alone: with a registry the real ones are used.
package standin

import (
	"context"
	"net/http"
	"time"

	"github.com/container-storage-interface/spec/lib/go/csi"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// Connect reaches a CSI driver's socket; calls wait until somebody answers.
func Connect(address string) (*grpc.ClientConn, error) {
	return grpc.NewClient("unix://"+address,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.WaitForReady(true)))
}

// DriverName asks the driver for its name, and goes on asking until it answers.
func DriverName(driver *grpc.ClientConn, timeout time.Duration) string {
	for {
		ctx, cancel := context.WithTimeout(context.Background(), timeout)
		info, err := csi.NewIdentityClient(driver).GetPluginInfo(ctx, &csi.GetPluginInfoRequest{})
		cancel()
		if err == nil {
			return info.GetName()
		}
	}
}

// ServeHealth answers /healthz on the address: 200 as long as check says nil.
func ServeHealth(address string, check func() error) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(answer http.ResponseWriter, _ *http.Request) {
		if err := check(); err != nil {
			http.Error(answer, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = answer.Write([]byte("ok"))
	})
	return http.ListenAndServe(address, mux)
}
