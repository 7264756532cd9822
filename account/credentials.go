package account

import "kyrochat/kyro"

func unbuilt() error { return kyro.Errorf(kyro.CodeUnavailable, "Not built yet.") }
