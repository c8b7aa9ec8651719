package main

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func newShop(t *testing.T, ratesURL string) *Shop {
	t.Helper()
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Skip("this machine has no time zones")
	}
	// 16:30 UTC on a Tuesday in July is 18:30 in Paris: closed there, open where UTC is taken for the zone.
	noon := time.Date(2026, time.July, 7, 16, 30, 0, 0, time.UTC)
	return &Shop{Products: products, Rates: NewRates(ratesURL), Zone: paris, Now: func() time.Time { return noon }}
}

func get(t *testing.T, shop *Shop, path string) *httptest.ResponseRecorder {
	t.Helper()
	recorder := httptest.NewRecorder()
	shop.Routes().ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
	return recorder
}

func TestHealthAnswers(t *testing.T) {
	if got := get(t, newShop(t, ""), "/healthz"); got.Code != http.StatusOK {
		t.Fatalf("status %d", got.Code)
	}
}

func TestOpeningHoursAreThoseOfParis(t *testing.T) {
	if body := get(t, newShop(t, ""), "/").Body.String(); !strings.Contains(body, "18:30 CEST; we are closed") {
		t.Fatalf("unexpected page:\n%s", body)
	}
}

func TestWithoutRatesOnlyEurosAreTaken(t *testing.T) {
	shop := newShop(t, "")
	if got := get(t, shop, "/api/products"); got.Code != http.StatusOK {
		t.Fatalf("euros: status %d", got.Code)
	}
	if got := get(t, shop, "/api/products?currency=USD"); got.Code != http.StatusServiceUnavailable {
		t.Fatalf("dollars: status %d", got.Code)
	}
}

func TestRatesAreAskedOverTLSOnceAndKept(t *testing.T) {
	asked := 0
	source := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		_, _ = w.Write([]byte(`{"rates": {"USD": 2}}`))
	}))
	defer source.Close()
	shop := newShop(t, source.URL)
	shop.Rates.client = source.Client()

	for range 2 {
		body := get(t, shop, "/api/products?currency=USD").Body.String()
		if !strings.Contains(body, `"cents":97800`) {
			t.Fatalf("unexpected answer: %s", body)
		}
	}
	if asked != 1 {
		t.Fatalf("asked %d times", asked)
	}
}

func TestCounterOfRequestsIsExported(t *testing.T) {
	shop := newShop(t, "")
	routes := shop.Routes()
	for _, path := range []string{"/", "/metrics"} {
		recorder := httptest.NewRecorder()
		routes.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, path, nil))
		if path == "/metrics" && !strings.Contains(recorder.Body.String(), `shop_requests_total{page="index"} 1`) {
			t.Fatalf("no counter in:\n%s", recorder.Body.String())
		}
	}
}
