package auth

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"net/http"
	"strconv"
	"strings"
)

const (
	// maxChunkHeader bounds the line before a chunk, and a trailer line.
	maxChunkHeader = 1024
	// maxTrailers bounds the lines after the last chunk.
	maxTrailers = 8

	emptySHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// NewChecksum is the hash behind an x-amz-checksum-<algorithm> header: crc32,
// crc32c, crc64nvme, sha1 or sha256. Values on the wire are its sum in base64.
func NewChecksum(algorithm string) (hash.Hash, bool) {
	switch strings.ToLower(algorithm) {
	case "crc32":
		return crc32.NewIEEE(), true
	case "crc32c":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli)), true
	case "crc64nvme":
		return crc64.New(crc64.MakeTable(0x9a6c9329ac4bc9b5)), true
	case "sha1":
		return sha1.New(), true
	case "sha256":
		return sha256.New(), true
	}
	return nil, false
}

// chunkedBody decodes aws-chunked framing: lines "<hex size>[;chunk-signature=…]",
// each followed by that many bytes; size 0 ends the data, and trailers may follow.
// Signatures, the announced length and the trailing checksum are judged before
// the last byte is answered.
type chunkedBody struct {
	source  io.Closer
	in      *bufio.Reader
	signer  *chunkSigner // nil: chunks are not signed
	left    int64        // decoded bytes to come
	chunk   int64        // of them in this chunk
	started bool

	trailer   string    // name of the announced trailing checksum, or empty
	wantTrail bool      // trailers are part of the framing
	checksum  hash.Hash // of all data, if a trailer announces one
	err       error
}

// chunkSigner chains the signatures of chunks.
type chunkSigner struct {
	key       []byte
	prefix    string // date and scope lines
	previous  string
	signature string // claimed for the current chunk
	hash      hash.Hash
}

func (s *chunkSigner) begin(signature string) {
	s.signature, s.hash = signature, sha256.New()
}

func (s *chunkSigner) end() error {
	return s.check("AWS4-HMAC-SHA256-PAYLOAD\n"+s.prefix+s.previous+"\n"+emptySHA256+"\n"+hex.EncodeToString(s.hash.Sum(nil)), s.signature)
}

func (s *chunkSigner) check(text, claimed string) error {
	want := hex.EncodeToString(hmacSHA256(s.key, text))
	if !hmac.Equal([]byte(want), []byte(claimed)) {
		return s3Mismatch()
	}
	s.previous = want
	return nil
}

func newChunkedBody(r *http.Request, payload string) (*chunkedBody, error) {
	length, err := strconv.ParseInt(r.Header.Get("X-Amz-Decoded-Content-Length"), 10, 64)
	if err != nil || length < 0 {
		return nil, refuseS3(http.StatusLengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header: x-amz-decoded-content-length has to be the length of the data.")
	}
	b := &chunkedBody{source: r.Body, in: bufio.NewReaderSize(r.Body, 32<<10), left: length, wantTrail: payload != streamingSigned}
	trailer := strings.ToLower(strings.TrimSpace(r.Header.Get("X-Amz-Trailer")))
	if trailer == "" || !b.wantTrail {
		return b, nil
	}
	algorithm, ok := strings.CutPrefix(trailer, "x-amz-checksum-")
	if ok {
		b.checksum, ok = NewChecksum(algorithm)
	}
	if !ok {
		return nil, refuseS3(http.StatusBadRequest, "InvalidRequest", "The value specified in the x-amz-trailer header is not supported: %.64q", trailer)
	}
	b.trailer = trailer
	return b, nil
}

func (b *chunkedBody) Close() error { return b.source.Close() }

func (b *chunkedBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if len(p) == 0 {
		return 0, nil
	}
	n, err := b.read(p)
	if err == nil && b.left == 0 && b.chunk == 0 {
		if err = b.finish(); err == nil {
			err = io.EOF
		}
	}
	b.err = err
	return n, err
}

// read answers bytes of one chunk, and ends the chunk with its last byte.
func (b *chunkedBody) read(p []byte) (int, error) {
	if b.left == 0 {
		return 0, nil
	}
	if b.chunk == 0 {
		size, err := b.header()
		if err != nil {
			return 0, err
		}
		if size == 0 || size > b.left {
			return 0, incompleteBody()
		}
		b.chunk = size
	}
	n, err := b.in.Read(p[:min(int64(len(p)), b.chunk)])
	b.chunk -= int64(n)
	b.left -= int64(n)
	if b.signer != nil {
		b.signer.hash.Write(p[:n])
	}
	if b.checksum != nil {
		b.checksum.Write(p[:n])
	}
	if b.chunk > 0 {
		return n, cutShort(err)
	}
	return n, b.endChunk()
}

func (b *chunkedBody) endChunk() error {
	if b.signer != nil {
		if err := b.signer.end(); err != nil {
			return err
		}
	}
	line, err := b.line()
	if err == nil && line != "" {
		err = malformedChunk("a chunk is longer than its size says")
	}
	return err
}

// finish reads what follows the data: the empty chunk and the trailers.
func (b *chunkedBody) finish() error {
	size, err := b.header()
	if err != nil {
		return err
	}
	if size != 0 {
		return malformedChunk("there is more data than x-amz-decoded-content-length says")
	}
	if b.signer != nil {
		if err := b.signer.end(); err != nil {
			return err
		}
	}
	claimed, signed, signature, err := b.trailers()
	if err != nil {
		return err
	}
	if b.signer != nil && b.wantTrail {
		sum := sha256.Sum256([]byte(signed))
		text := "AWS4-HMAC-SHA256-TRAILER\n" + b.signer.prefix + b.signer.previous + "\n" + hex.EncodeToString(sum[:])
		if err := b.signer.check(text, signature); err != nil {
			return err
		}
	}
	if b.checksum == nil {
		return nil
	}
	if want := base64.StdEncoding.EncodeToString(b.checksum.Sum(nil)); claimed != want {
		return refuseS3(http.StatusBadRequest, "BadDigest", "The %s you specified did not match the calculated checksum.", strings.ToUpper(strings.TrimPrefix(b.trailer, "x-amz-checksum-")))
	}
	return nil
}

// trailers reads the lines to the end: the announced checksum, the text that
// was signed, and its signature.
func (b *chunkedBody) trailers() (checksum, signed, signature string, err error) {
	var text strings.Builder
	for range maxTrailers {
		line, err := b.line()
		if errors.Is(err, io.ErrUnexpectedEOF) && line == "" {
			line, err = "", nil // clients leave out the last empty line
		}
		if err != nil {
			return "", "", "", err
		}
		if line == "" {
			if b.trailer != "" && checksum == "" {
				return "", "", "", malformedTrailer("the trailer " + b.trailer + " is missing")
			}
			return checksum, text.String(), signature, nil
		}
		name, value, ok := strings.Cut(line, ":")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		switch {
		case !ok || name == "" || !b.wantTrail:
			return "", "", "", malformedTrailer("a line after the data is not a trailer")
		case name == "x-amz-trailer-signature":
			signature = value
		case name != b.trailer:
			return "", "", "", malformedTrailer("x-amz-trailer does not announce a trailer that was sent")
		default:
			checksum = value
			text.WriteString(name + ":" + value + "\n")
		}
	}
	return "", "", "", malformedTrailer("there are too many lines after the data")
}

// header reads the line before a chunk.
func (b *chunkedBody) header() (int64, error) {
	line, err := b.line()
	if err != nil {
		return 0, err
	}
	digits, extension, _ := strings.Cut(line, ";")
	size, err := strconv.ParseUint(digits, 16, 63)
	if err != nil {
		return 0, malformedChunk("a chunk's size is not a hexadecimal number")
	}
	if b.signer != nil {
		signature, ok := strings.CutPrefix(extension, "chunk-signature=")
		if !ok {
			return 0, malformedChunk("a chunk has no chunk-signature")
		}
		b.signer.begin(signature)
	}
	return int64(size), nil
}

// line reads up to a line feed, at most maxChunkHeader bytes, without line end.
func (b *chunkedBody) line() (string, error) {
	var line []byte
	for len(line) <= maxChunkHeader {
		c, err := b.in.ReadByte()
		if err != nil {
			return strings.TrimSuffix(string(line), "\r"), cutShort(err)
		}
		if c == '\n' {
			return strings.TrimSuffix(string(line), "\r"), nil
		}
		line = append(line, c)
	}
	return "", malformedChunk("a line of the framing is longer than 1024 bytes")
}

// cutShort makes an end of the connection what it is in the middle of a body.
func cutShort(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

func incompleteBody() *Error {
	return refuseS3(http.StatusBadRequest, "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header.")
}

func malformedChunk(what string) *Error {
	return refuseS3(http.StatusBadRequest, "InvalidRequest", "The aws-chunked body is malformed: %s.", what)
}

func malformedTrailer(what string) *Error {
	return refuseS3(http.StatusBadRequest, "MalformedTrailerError", "The request contained trailing data that was not well-formed or did not conform to our published schema: %s.", what)
}
