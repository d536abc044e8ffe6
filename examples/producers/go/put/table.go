package put

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"time"
)

// Table is what a reader of a binlog knows: the newest value of each key.
type Table map[string]Put

// Apply takes the next record of a partition.
func (t Table) Apply(key, record []byte) {
	if key == nil || Reserved(key) {
		return
	}
	delete(t, string(key))
	if record == nil {
		return
	}
	put, err := Decode(key, record)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", key, err)
		return
	}
	if put.ExpiresAtMs == nil || *put.ExpiresAtMs > time.Now().UnixMilli() {
		t[string(key)] = put
	}
}

// Print gives one line a key.
func (t Table) Print() {
	for _, key := range slices.Sorted(maps.Keys(t)) {
		expires := "never"
		if at := t[key].ExpiresAtMs; at != nil {
			expires = fmt.Sprint(*at)
		}
		fmt.Printf("%s\t%s\t%s\n", key, t[key].Value, expires)
	}
}

// Record of a binlog; a nil Value deletes.
type Record struct{ Key, Value []byte }

// Orders are a hundred, every tenth of which expires in an hour; the last record deletes the seventh.
func Orders(name string) []Record {
	hourAhead := time.Now().Add(time.Hour).UnixMilli()
	var records []Record
	for i := range 100 {
		key, value := fmt.Appendf(nil, "%s:order:%d", name, i), fmt.Appendf(nil, "%d apples", i)
		var expiresAtMs *int64
		if i%10 == 0 {
			expiresAtMs = &hourAhead
		}
		crc := Checksum(key, value, expiresAtMs)
		records = append(records, Record{key, Put{value, expiresAtMs, &crc}.Encode()})
	}
	return append(records, Record{Key: fmt.Appendf(nil, "%s:order:7", name)})
}
