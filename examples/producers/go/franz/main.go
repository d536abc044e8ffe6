// With franz-go: check <binlog.json> | produce <brokers> <topic> <name> | consume <brokers> <topic>
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"levee.example/producers/put"
)

func produce(brokers, topic, name string) error {
	// The default partitioner sends a key where Java does, acks=all and idempotence are the defaults.
	client, err := kgo.NewClient(kgo.SeedBrokers(strings.Split(brokers, ",")...))
	if err != nil {
		return err
	}
	defer client.Close()
	var records []*kgo.Record
	for _, order := range put.Orders(name) {
		records = append(records, &kgo.Record{Topic: topic, Key: order.Key, Value: order.Value})
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := client.ProduceSync(ctx, records...).FirstErr(); err != nil {
		return err
	}
	fmt.Printf("orders of %s are in %s\n", name, topic)
	return nil
}

func consume(brokers, topic string) error {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(strings.Split(brokers, ",")...),
		kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		// So that offsets without a record for us still move the position on.
		kgo.KeepControlRecords(),
	)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ends, err := kadm.NewClient(client).ListCommittedOffsets(ctx, topic)
	if err != nil {
		return err
	}
	left := map[int32]int64{}
	ends.Each(func(end kadm.ListedOffset) {
		if end.Offset > 0 {
			left[end.Partition] = end.Offset
		}
	})
	table := put.Table{}
	// A follower goes on for ever; this one ends where the binlog ended when it began.
	for len(left) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return err
		}
		fetches.EachRecord(func(record *kgo.Record) {
			if !record.Attrs.IsControl() {
				table.Apply(record.Key, record.Value)
			}
			if record.Offset+1 >= left[record.Partition] {
				delete(left, record.Partition)
			}
		})
	}
	table.Print()
	return nil
}

// partitionOf asks the partitioner that the client uses by default for records with a key.
func partitionOf(key []byte, partitions int) int {
	partitioner := kgo.StickyKeyPartitioner(nil).ForTopic("any")
	return partitioner.Partition(&kgo.Record{Key: key}, partitions)
}

func main() {
	log.SetFlags(0)
	var err error
	switch args := os.Args[1:]; args[0] {
	case "check":
		err = put.Check(args[1], partitionOf)
	case "produce":
		err = produce(args[1], args[2], args[3])
	case "consume":
		err = consume(args[1], args[2])
	}
	if err != nil {
		log.Fatal(err)
	}
}
