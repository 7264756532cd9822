package extract

import "kyrochat/kyro"

func readJSON(text string, limits kyro.Limits) (kyro.Extraction, error) {
	return kyro.Extraction{}, kyro.Errorf(kyro.CodeUnsupportedType, "JSON files cannot be read yet.")
}
