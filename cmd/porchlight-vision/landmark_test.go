//go:build cgo

package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"porchlight/audit"
	"porchlight/audit/vision"
	"porchlight/audit/vision/head"
	"porchlight/audit/vision/objects"
	"porchlight/audit/vision/scene"
	"porchlight/fixtures"
	"porchlight/storage/weights"
)

// place names where a photo of the labelled ones was taken, on which visit, and what it is
// part of: doors of one building or one street are neighbours.
type place struct{ name, visit, around string }

// places are those of which there are several photos, by how their names begin. One door
// only, the yellow one, was photographed on two days.
var places = map[string]place{
	"IMG_6824": {"inside the purple door", "1", "purple"}, "IMG_68": {"purple door", "1", "purple"},
	"PXL_20201103": {"yellow wall", "3", "building"}, "PXL_20201105": {"yellow wall", "5", "building"},
	"PXL_20201101": {"white wall", "1", "building"}, "PXL_20201107_1911": {"white wall, another door", "7", "building"},
	"PXL_20201107_0213": {"wooden floor", "7", "building"}, "PXL_20201107_2147": {"corner", "7", "building"},
	"package_":            {"porch", "1", "porch"},
	"IMG_20220617_185651": {"kerb", "1", "kerb"}, "IMG_20220617_185812": {"kerb", "1", "kerb"},
	"IMG_20221104_224755": {"barred door", "1", "night"}, "IMG_20221104_2248": {"barred door", "1", "night"}, "IMG_20221104_224908": {"barred door", "1", "night"},
	"IMG_20221104_2314": {"asphalt", "1", "night"}, "IMG_20221104_2315": {"asphalt", "1", "night"}, "IMG_20221104": {"rail", "1", "night"},
	"sab-input_images_3": {"820", "1", "820"}, "tug-test_input_4": {"820", "1", "820"},
}

func placeOf(name string) place {
	longest := ""
	for prefix := range places {
		if strings.HasPrefix(name, prefix) && len(prefix) > len(longest) {
			longest = prefix
		}
	}
	if longest == "" {
		return place{name, "1", name}
	}
	return places[longest]
}

// TestPlacesOfRealPhotos counts how many pairs of photos of one door and of two are taken
// for the same by the built-in checklist's limit.
func TestPlacesOfRealPhotos(t *testing.T) {
	photos := photoFolder(t)
	e := models(t)
	type photo struct {
		place
		features []scene.Feature
	}
	var all []photo
	for _, folder := range []string{"doors", "deliveries", "house-numbers"} {
		names, _ := filepath.Glob(filepath.Join(photos, folder, "*.jpg"))
		for _, name := range names {
			_, img := look(t, name)
			found, _, err := e.objects.Detect(t.Context(), img)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, photo{placeOf(filepath.Base(name)), scene.Find(img, vision.BoxesOf(found))})
		}
	}
	limits := []int{9, 12, int(audit.Guide2026().Checks.Landmark.MinAgreeing)}
	kinds := []string{"same door, same visit", "same door, another day", "neighbours", "strangers"}
	pairs, taken, most := map[string]int{}, map[string][3]int{}, map[string]int{}
	for i, a := range all {
		for _, b := range all[:i] {
			kind := kinds[3]
			switch {
			case a.name == b.name && a.visit == b.visit:
				kind = kinds[0]
			case a.name == b.name:
				kind = kinds[1]
			case a.around == b.around:
				kind = kinds[2]
			}
			n := scene.Agreeing(a.features, b.features)
			pairs[kind]++
			most[kind] = max(most[kind], n)
			so := taken[kind]
			for k, limit := range limits {
				if n >= limit {
					so[k]++
				}
			}
			taken[kind] = so
		}
	}
	for _, kind := range kinds {
		t.Logf("%s: %d of %d pairs are the same place from %d points; the most are %d", kind, taken[kind], pairs[kind], limits, most[kind])
	}
	for _, kind := range kinds[2:] {
		if taken[kind][0] > 0 {
			t.Errorf("%s: two places are taken for one from %d points", kind, limits[0])
		}
	}
	if taken[kinds[0]][2] == 0 || taken[kinds[1]][2] == 0 {
		t.Errorf("no pair of one door is recognised from %d points", limits[2])
	}
}

// TestHeadOnRealModels holds that a head in the models' folder is used and named, and that
// the objects model answers as it does without its backbone's output.
func TestHeadOnRealModels(t *testing.T) {
	from, dir := modelFolder(t), t.TempDir()
	for _, f := range weights.Catalogue() {
		if err := os.Symlink(filepath.Join(from, f.Name), filepath.Join(dir, f.Name)); err != nil {
			t.Fatal(err)
		}
	}
	photo := fixtures.Scene{Place: 1, Shot: 1, Number: "4702", Width: 1600, Height: 1200}.JPEG()
	set, err := weights.Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	plainModel := bytes.Clone(set.Objects)
	e, err := newEngine(set)
	if err != nil {
		t.Fatal(err)
	}
	before, err := e.read(t.Context(), photo)
	if err != nil {
		t.Fatal(err)
	}
	embedding, err := e.embed(t.Context(), photo)
	if err != nil || len(embedding.Values) != 1280 || embedding.Backbone != weights.Backbone() {
		t.Fatalf("%d values of %s, %v", len(embedding.Values), embedding.Backbone, err)
	}
	plain, err := e.session(plainModel)
	if err != nil {
		t.Fatal(err)
	}
	img, err := upright(photo)
	if err != nil {
		t.Fatal(err)
	}
	found, pooled, err := objects.NewDetector(plain).Detect(t.Context(), img)
	if err != nil || pooled != nil {
		t.Fatalf("%d values of a model without its backbone's output, %v", len(pooled), err)
	}
	if len(found) != len(before.Boxes) || len(found) > 0 && fmt.Sprintf("%.2f", found[0].Score) != fmt.Sprintf("%.2f", before.Boxes[0].Score) {
		t.Errorf("boxes %v, without the backbone's output %v", before.Boxes, found)
	}
	if before.Landmark != nil || len(before.Scene) == 0 || !strings.Contains(strings.Join(before.Models, " "), scene.Version) {
		t.Errorf("a landmark %v without a head, %d bytes of features by %v", before.Landmark, len(before.Scene), before.Models)
	}
	e.Close()

	h := &head.Head{Version: head.Version, Backbone: weights.Backbone(), TrainedAt: time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC), Photos: 60, Yes: 30, Stops: 9,
		Accuracy: .9, Threshold: .5, Mean: make([]float32, 1280), Deviation: slices.Repeat([]float32{1}, 1280), Weights: make([]float32, 1280), Bias: 2}
	if err := weights.SaveHead(dir, h); err != nil {
		t.Fatal(err)
	}
	if set, err = weights.Load(dir); err != nil {
		t.Fatal(err)
	}
	e, err = newEngine(set)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	after, err := e.read(t.Context(), photo)
	if err != nil {
		t.Fatal(err)
	}
	if after.Landmark == nil || after.Landmark.Score != .8808 || after.Landmark.Accuracy != .9 {
		t.Errorf("landmark %+v, want the score 0.8808", after.Landmark)
	}
	if slices.Equal(after.Models, before.Models) || !strings.Contains(strings.Join(after.Models, " "), "landmark-head 2026-11-20") {
		t.Errorf("the models are %v", after.Models)
	}
}
