package extract

import "kyrochat/kyro"

func readPPTX(path string, limits kyro.Limits, progress func(done, total int)) (kyro.Extraction, error) {
	return kyro.Extraction{}, kyro.Errorf(kyro.CodeUnsupportedType, "PowerPoint presentations cannot be read yet.")
}
