package put

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
)

type vectors struct {
	Records []struct {
		What, Framing, KeyHex, ValueHex, RecordHex string
		ExpiresAtMs                                *int64
		CRC                                        *int32
	}
	Keys []struct {
		KeyHex, Algorithm     string
		Partitions, Partition int
	}
	Bad []struct {
		What, RecordHex string
		KeyHex          *string
	}
}

// Check compares this package, and the client's partitioner, with test/golden/binlog.json.
func Check(file string, partitionOf func(key []byte, partitions int) int) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var golden vectors
	if err := json.Unmarshal(text, &golden); err != nil {
		return err
	}
	for _, v := range golden.Records {
		want := Put{unhex(v.ValueHex), v.ExpiresAtMs, v.CRC}
		if v.Framing == "single-object" && hex.EncodeToString(want.Encode()) != v.RecordHex {
			return fmt.Errorf("%s is written as %x", v.What, want.Encode())
		}
		got, err := Decode(unhex(v.KeyHex), unhex(v.RecordHex))
		if err != nil || !reflect.DeepEqual(got, want) {
			return fmt.Errorf("%s is read as %v: %v", v.What, got, err)
		}
	}
	for _, v := range golden.Bad {
		if v.KeyHex == nil {
			continue
		}
		if _, err := Decode(unhex(*v.KeyHex), unhex(v.RecordHex)); err == nil {
			return fmt.Errorf("%s was taken for a Put", v.What)
		}
	}
	hashed := 0
	for _, v := range golden.Keys {
		if v.Algorithm != "murmur2" {
			continue
		}
		hashed++
		if got := partitionOf(unhex(v.KeyHex), v.Partitions); got != v.Partition {
			return fmt.Errorf("key %s is in partition %d of %d, not in %d", v.KeyHex, got, v.Partitions, v.Partition)
		}
	}
	fmt.Printf("%d records and %d keys are as they should be\n", len(golden.Records), hashed)
	return nil
}

func unhex(text string) []byte {
	decoded, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return decoded
}
