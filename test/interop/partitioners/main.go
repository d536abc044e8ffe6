// Prints `murmur2|fnv1a <key> <hash> <partition per count>...` as the default partitioners of franz-go and sarama say.
package main

import (
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"os"
	"strconv"
	"strings"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"
)

func main() {
	content, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	franz := kgo.StickyKeyPartitioner(nil).ForTopic("topic")
	hash := sarama.NewHashPartitioner("topic")
	for _, line := range strings.Split(string(content), "\n") {
		key, err := hex.DecodeString(line)
		if err != nil {
			panic(err)
		}
		sum := fnv.New32a()
		sum.Write(key)
		absolute := int64(int32(sum.Sum32()))
		if absolute < 0 {
			absolute = -absolute
		}
		byFranz, bySarama := []string{}, []string{}
		for _, word := range strings.Split(os.Args[2], ",") {
			count, err := strconv.Atoi(word)
			if err != nil {
				panic(err)
			}
			byFranz = append(byFranz, strconv.Itoa(franz.Partition(&kgo.Record{Key: key}, count)))
			partition, err := hash.Partition(&sarama.ProducerMessage{Key: sarama.ByteEncoder(key)}, int32(count))
			if err != nil {
				panic(err)
			}
			bySarama = append(bySarama, strconv.Itoa(int(partition)))
		}
		fmt.Println("murmur2", line, "-", strings.Join(byFranz, " "))
		fmt.Println("fnv1a", line, absolute, strings.Join(bySarama, " "))
	}
}
