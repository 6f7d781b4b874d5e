package decode

import "image"

// decodeHEIC is left to the browser, which decodes what its phone's camera writes: the
// decoder is larger than all the rest of the check on the phone.
func decodeHEIC([]byte, *header) (image.Image, error) {
	return nil, fail(Broken, "HEIC is not decoded in a browser")
}
