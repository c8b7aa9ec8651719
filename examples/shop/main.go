// Shop is a small web shop front: a page and a JSON list of products, priced in the currency a customer asks for.
//
// It reads PORT (8080 where it is not set) and RATES_URL, an https address that answers
// {"rates": {"USD": 1.08}} for one euro. Without RATES_URL it sells in euros only and contacts nobody.
package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// Long enough for the slowest answer, shorter than the ten seconds that container engines wait by default.
const patience = 5 * time.Second

func main() {
	if err := run(); err != nil {
		slog.Error("shop ended", "error", err)
		os.Exit(1)
	}
}

func run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		return err
	}
	shop := &Shop{Products: products, Rates: NewRates(os.Getenv("RATES_URL")), Zone: paris, Now: time.Now}

	port := os.Getenv("PORT")
	if port == "" {
		port = "8080"
	}
	server := &http.Server{
		Addr:              net.JoinHostPort("", port),
		Handler:           shop.Routes(),
		ReadHeaderTimeout: patience,
	}
	return serve(ctx, server)
}

// serve answers requests until ctx ends, then lets those under way finish.
func serve(ctx context.Context, server *http.Server) error {
	ended := make(chan error, 1)
	go func() { ended <- server.ListenAndServe() }()
	slog.Info("shop is open", "address", server.Addr)

	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	slog.Info("shop is closing")
	closing, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := server.Shutdown(closing); err != nil {
		return err
	}
	if err := <-ended; !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
