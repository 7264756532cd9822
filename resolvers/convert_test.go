package resolvers

import (
	"errors"
	"testing"

	"kyrochat/kyro"
)

func TestProblems(t *testing.T) {
	t.Parallel()
	name, email := kyro.Invalid("name", "too long"), kyro.Errorf(kyro.CodeEmailTaken, "taken").At("email")
	drivers := errors.Join(errors.New("dial 10.0.0.1"), errors.New("dial 10.0.0.2"))
	away := kyro.Errorf(kyro.CodeUnavailable, "The database does not answer.").Because(drivers)
	for what, test := range map[string]struct {
		err     error
		payload int
		code    kyro.Code
	}{
		"none":                          {nil, 0, ""},
		"one":                           {name, 1, ""},
		"several fields":                {errors.Join(name, email), 2, ""},
		"one for the client's link":     {kyro.NotFound(kyro.KindBot), 0, kyro.CodeNotFound},
		"a typed error of many causes":  {away, 0, kyro.CodeUnavailable},
		"such an error beside a field":  {errors.Join(name, away), 0, kyro.CodeUnavailable},
		"an unknown error":              {errors.New("no"), 0, kyro.CodeInternal},
		"causes without a typed error":  {drivers, 0, kyro.CodeInternal},
		"a typed error in many wrapped": {kyro.Errorf(kyro.CodeConflict, "no").Because(drivers), 1, ""},
	} {
		list, err := problems(test.err)
		if len(list) != test.payload || kyro.ErrorCode(err) != test.code {
			t.Errorf("%s: %v, %v", what, list, err)
		}
		if err == nil && list == nil {
			t.Errorf("%s: the list is null, and the contract says it is not", what)
		}
	}
}
