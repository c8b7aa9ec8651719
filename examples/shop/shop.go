package main

import (
	"embed"
	"encoding/json"
	"html/template"
	"log/slog"
	"net/http"
	"time"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

//go:embed templates
var files embed.FS

var page = template.Must(template.ParseFS(files, "templates/index.html"))

// Product is one thing on sale; its price is in cents of a euro.
type Product struct {
	Name  string `json:"name"`
	Cents int64  `json:"cents"`
}

var products = []Product{
	{Name: "Outrigger sail, 12 m²", Cents: 48_900},
	{Name: "Coconut-fibre rope, 30 m", Cents: 3_450},
	{Name: "Steering paddle", Cents: 11_900},
}

// Shop answers for the products, in its own time zone.
type Shop struct {
	Products []Product
	Rates    *Rates
	Zone     *time.Location
	Now      func() time.Time
}

// Routes returns everything the shop answers.
func (s *Shop) Routes() http.Handler {
	registry := prometheus.NewRegistry()
	requests := prometheus.NewCounterVec(
		prometheus.CounterOpts{Name: "shop_requests_total", Help: "Requests by page."}, []string{"page"})
	registry.MustRegister(requests, collectors.NewGoCollector())

	routes := chi.NewRouter()
	routes.Use(middleware.Recoverer)
	routes.Get("/healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	routes.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	routes.Get("/", func(w http.ResponseWriter, r *http.Request) {
		requests.WithLabelValues("index").Inc()
		s.index(w, r)
	})
	routes.Get("/api/products", func(w http.ResponseWriter, r *http.Request) {
		requests.WithLabelValues("products").Inc()
		s.products(w, r)
	})
	return routes
}

// IsOpen says whether somebody is at the till: 9 to 18 o'clock in the shop's zone, not on Sundays.
func (s *Shop) IsOpen() bool {
	now := s.Now().In(s.Zone)
	return now.Weekday() != time.Sunday && now.Hour() >= 9 && now.Hour() < 18
}

func (s *Shop) index(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	view := map[string]any{
		"Products": s.Products,
		"IsOpen":   s.IsOpen(),
		"Time":     s.Now().In(s.Zone).Format("15:04 MST"),
	}
	if err := page.Execute(w, view); err != nil {
		slog.Error("the page was not written", "error", err)
	}
}

func (s *Shop) products(w http.ResponseWriter, r *http.Request) {
	currency := r.URL.Query().Get("currency")
	if currency == "" {
		currency = "EUR"
	}
	rate, err := s.Rates.For(r.Context(), currency)
	if err != nil {
		slog.Warn("no rate", "currency", currency, "error", err)
		http.Error(w, "we do not sell in this currency at the moment", http.StatusServiceUnavailable)
		return
	}
	priced := make([]Product, len(s.Products))
	for i, product := range s.Products {
		priced[i] = Product{Name: product.Name, Cents: int64(float64(product.Cents)*rate + 0.5)}
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(map[string]any{"currency": currency, "products": priced}); err != nil {
		slog.Error("the answer was not written", "error", err)
	}
}
