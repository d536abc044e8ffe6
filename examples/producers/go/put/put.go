// Package put writes and reads the value of a binlog record, docs/binlog.md, without an Avro library.
package put

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash/crc32"
)

// Put sets a key to Value.
type Put struct {
	Value []byte
	// ExpiresAtMs: milliseconds since 1970; nil for never.
	ExpiresAtMs *int64
	// CRC is the checksum as its writer computed it; nil when it did not.
	CRC *int32
}

var (
	frame      = []byte{0xc3, 0x01, 0x73, 0x55, 0x5d, 0x30, 0x59, 0xee, 0x55, 0x13}
	reserved   = []byte("\x00levee\x00")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	errNoPut   = errors.New("no Put")
)

// Reserved keys hold records of Levee's own: readers skip them.
func Reserved(key []byte) bool { return bytes.HasPrefix(key, reserved) }

// Checksum of a Put under its key, for its CRC.
func Checksum(key, value []byte, expiresAtMs *int64) int32 {
	var expiry [8]byte
	if expiresAtMs != nil {
		binary.BigEndian.PutUint64(expiry[:], uint64(*expiresAtMs))
	}
	return int32(crc32.Checksum(bytes.Join([][]byte{key, expiry[:], value}, nil), castagnoli))
}

// Encode gives the record's value. Avro's numbers are those that AppendVarint writes.
func (p Put) Encode() []byte {
	record := bytes.Clone(frame)
	record = appendOptional(record, p.ExpiresAtMs)
	record = appendOptional(record, widened(p.CRC))
	record = binary.AppendVarint(record, int64(len(p.Value)))
	return append(record, p.Value...)
}

// Decode reads a record's value in both framings, ours and that of Confluent's serializers, and its checksum.
func Decode(key, record []byte) (Put, error) {
	var body []byte
	switch {
	case bytes.HasPrefix(record, frame):
		body = record[len(frame):]
	case len(record) >= 5 && record[0] == 0:
		body = record[5:]
	default:
		return Put{}, errNoPut
	}
	expiresAtMs, body, err := optional(body)
	if err != nil {
		return Put{}, err
	}
	crc, body, err := optional(body)
	if err != nil {
		return Put{}, err
	}
	length, size := binary.Varint(body)
	if size <= 0 || length != int64(len(body)-size) {
		return Put{}, errNoPut
	}
	value := body[size:]
	if crc == nil {
		return Put{Value: value, ExpiresAtMs: expiresAtMs}, nil
	}
	checksum := Checksum(key, value, expiresAtMs)
	if int64(checksum) != *crc {
		return Put{}, errors.New("the crc of " + hex.EncodeToString(key) + " is wrong")
	}
	return Put{Value: value, ExpiresAtMs: expiresAtMs, CRC: &checksum}, nil
}

func widened(crc *int32) *int64 {
	if crc == nil {
		return nil
	}
	wide := int64(*crc)
	return &wide
}

func appendOptional(record []byte, number *int64) []byte {
	if number == nil {
		return append(record, 0)
	}
	return binary.AppendVarint(append(record, 2), *number)
}

func optional(body []byte) (*int64, []byte, error) {
	if len(body) > 0 && body[0] == 0 {
		return nil, body[1:], nil
	}
	if len(body) == 0 || body[0] != 2 {
		return nil, nil, errNoPut
	}
	number, size := binary.Varint(body[1:])
	if size <= 0 {
		return nil, nil, errNoPut
	}
	return &number, body[1+size:], nil
}
