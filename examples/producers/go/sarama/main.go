// With sarama: check <binlog.json> | produce <brokers> <topic> <name> | consume <brokers> <topic>
package main

import (
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/IBM/sarama"
	"levee.example/producers/put"
)

func produce(brokers, topic, name string) error {
	config := sarama.NewConfig()
	// Its default is FNV-1a: its records would be in the wrong partitions, and not be applied.
	config.Producer.Partitioner = sarama.NewMurmur2Partitioner
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Idempotent = true
	config.Net.MaxOpenRequests = 1
	config.Producer.Return.Successes = true
	config.Metadata.AllowAutoTopicCreation = false
	producer, err := sarama.NewSyncProducer(strings.Split(brokers, ","), config)
	if err != nil {
		return err
	}
	defer producer.Close()
	var messages []*sarama.ProducerMessage
	for _, order := range put.Orders(name) {
		message := &sarama.ProducerMessage{Topic: topic, Key: sarama.ByteEncoder(order.Key)}
		if order.Value != nil {
			message.Value = sarama.ByteEncoder(order.Value)
		}
		messages = append(messages, message)
	}
	// Returns when all in-sync replicas have the records.
	if err := producer.SendMessages(messages); err != nil {
		return err
	}
	fmt.Printf("orders of %s are in %s\n", name, topic)
	return nil
}

func consume(brokers, topic string) error {
	config := sarama.NewConfig()
	config.Consumer.IsolationLevel = sarama.ReadCommitted
	config.Metadata.AllowAutoTopicCreation = false
	client, err := sarama.NewClient(strings.Split(brokers, ","), config)
	if err != nil {
		return err
	}
	defer client.Close()
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return err
	}
	partitions, err := client.Partitions(topic)
	if err != nil {
		return err
	}
	table := put.Table{}
	for _, partition := range partitions {
		end, err := client.GetOffset(topic, partition, sarama.OffsetNewest)
		if err != nil {
			return err
		}
		if end == 0 {
			continue
		}
		reader, err := consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
		if err != nil {
			return err
		}
		// A follower goes on for ever; this one ends where the binlog ended when it began.
		for message := range reader.Messages() {
			table.Apply(message.Key, message.Value)
			if message.Offset+1 >= end {
				break
			}
		}
		if err := reader.Close(); err != nil {
			return err
		}
	}
	table.Print()
	return nil
}

func partitionOf(key []byte, partitions int) int {
	message := &sarama.ProducerMessage{Key: sarama.ByteEncoder(key)}
	partition, err := sarama.NewMurmur2Partitioner("any").Partition(message, int32(partitions))
	if err != nil {
		return -1
	}
	return int(partition)
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
