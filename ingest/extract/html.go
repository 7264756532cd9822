package extract

import "kyrochat/kyro"

func readHTML(data []byte, o kyro.Original, limits kyro.Limits) (kyro.Extraction, error) {
	return kyro.Extraction{}, kyro.Errorf(kyro.CodeUnsupportedType, "HTML pages cannot be read yet.")
}
