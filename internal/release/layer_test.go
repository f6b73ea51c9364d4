package release_test

import (
	"slices"
	"testing"

	. "github.com/synestra/promoter/internal/release"
)

func TestDifferences(t *testing.T) {
	for _, c := range []struct {
		name      string
		dev, prod map[string]string
		want      []Difference
	}{
		{"none", map[string]string{"a": "1"}, map[string]string{"a": "1"}, nil},
		{"empty", nil, nil, nil},
		{"the repository first, then by name", map[string]string{"a": "1", "image.repository": "x", "zoo": "1"}, map[string]string{"a": "2", "image.repository": "y", "zoo": "2"}, []Difference{
			{"image.repository", "x", "y"}, {"a", "1", "2"}, {"zoo", "1", "2"},
		}},
		{"in one only", map[string]string{"a": "1"}, map[string]string{"b": "2"}, []Difference{{"a", "1", ""}, {"b", "", "2"}}},
		{"absent is empty", map[string]string{"a": ""}, nil, nil},
	} {
		l := Layers{Dev: Layer{Settings: c.dev}, Prod: Layer{Settings: c.prod}}
		if got := l.Differences(); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestRepository(t *testing.T) {
	if got := (Layer{Settings: map[string]string{"image.repository": "x"}}).Repository(); got != "x" {
		t.Errorf("%q", got)
	}
	if got := (Layer{}).Repository(); got != "" {
		t.Errorf("of a layer that names none: %q", got)
	}
}

func TestEnvironments(t *testing.T) {
	e := Environments{
		Dev:  Environment{Name: "dev", Layer: "r-dev/{app}.yaml", Values: "dev/{app}/{app}.yaml", Application: "web-{app}-dev"},
		Prod: Environment{Name: "prod"},
	}
	if e.Dev.LayerPath("shop") != "r-dev/shop.yaml" || e.Dev.ValuesPath("shop") != "dev/shop/shop.yaml" || e.Dev.ApplicationName("shop") != "web-shop-dev" {
		t.Error("the templates are not filled")
	}
	if env, ok := e.Named("prod"); !ok || env.Name != "prod" {
		t.Error("prod is not found")
	}
	if _, ok := e.Named("stage"); ok {
		t.Error("there is no stage")
	}
}
