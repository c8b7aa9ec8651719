package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// How long a table of rates is good for, and how large an honest one can be.
const (
	ratesAge   = 10 * time.Minute
	ratesBytes = 1 << 20
)

var errNoRate = errors.New("no rate is known")

// Rates knows what one euro is in other currencies. It asks its source when a rate is first wanted, never at start.
type Rates struct {
	url    string
	client *http.Client

	mutex  sync.Mutex
	rates  map[string]float64
	readAt time.Time
}

// NewRates returns the rates served at url; with no url there is the euro alone.
func NewRates(url string) *Rates {
	return &Rates{url: url, client: &http.Client{Timeout: 3 * time.Second}}
}

// For returns what one euro is in currency.
func (r *Rates) For(ctx context.Context, currency string) (float64, error) {
	if currency == "EUR" {
		return 1, nil
	}
	if r.url == "" {
		return 0, errNoRate
	}
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if time.Since(r.readAt) > ratesAge {
		if err := r.read(ctx); err != nil {
			return 0, err
		}
	}
	rate, ok := r.rates[currency]
	if !ok {
		return 0, fmt.Errorf("%w for %q", errNoRate, currency)
	}
	return rate, nil
}

func (r *Rates) read(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url, nil)
	if err != nil {
		return err
	}
	response, err := r.client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", r.url, response.Status)
	}
	var answer struct {
		Rates map[string]float64 `json:"rates"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, ratesBytes)).Decode(&answer); err != nil {
		return fmt.Errorf("%s: %w", r.url, err)
	}
	r.rates, r.readAt = answer.Rates, time.Now()
	return nil
}
