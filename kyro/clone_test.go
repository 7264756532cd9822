package kyro_test

import (
	"reflect"
	"testing"

	"kyrochat/kyro"
)

// TestClonesShareNothing fills every field, so that one that is added later is not forgotten.
func TestClonesShareNothing(t *testing.T) {
	t.Parallel()
	var bot kyro.Bot
	var document kyro.Document
	fill(reflect.ValueOf(&bot).Elem())
	fill(reflect.ValueOf(&document).Elem())
	checkClone(t, "Bot", reflect.ValueOf(bot), reflect.ValueOf(bot.Clone()))
	checkClone(t, "Document", reflect.ValueOf(document), reflect.ValueOf(document.Clone()))
	if bare, other := new(kyro.Bot), new(kyro.Document); !reflect.DeepEqual(bare.Clone(), *bare) || !reflect.DeepEqual(other.Clone(), *other) {
		t.Error("a clone has what its original has not")
	}
}

// fill gives every pointer something to point to, and every list an element.
func fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0))
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i))
			}
		}
	}
}

func checkClone(t *testing.T, name string, a, b reflect.Value) {
	t.Helper()
	switch a.Kind() {
	case reflect.Pointer:
		if b.IsNil() || a.Pointer() == b.Pointer() {
			t.Errorf("%s is shared or lost", name)
			return
		}
		checkClone(t, name, a.Elem(), b.Elem())
	case reflect.Slice:
		if b.Len() != a.Len() || a.Pointer() == b.Pointer() {
			t.Errorf("%s is shared or lost", name)
			return
		}
		checkClone(t, name+"[0]", a.Index(0), b.Index(0))
	case reflect.Struct:
		for i := range a.NumField() {
			if field := a.Type().Field(i); field.IsExported() {
				checkClone(t, name+"."+field.Name, a.Field(i), b.Field(i))
			}
		}
	case reflect.Map, reflect.Chan, reflect.Func, reflect.Interface:
		t.Errorf("%s is a %s, which this test does not know", name, a.Kind())
	}
}
