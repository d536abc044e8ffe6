// With sarama: <brokers> <topic> <count>: plain values into a topic of your own. Nothing here knows of Levee.
package main

import (
	"fmt"
	"log"
	"os"
	"strconv"
	"strings"

	"github.com/IBM/sarama"
)

// Records that are sent at once.
const together = 1000

func price(topic string, item, cents int) *sarama.ProducerMessage {
	return &sarama.ProducerMessage{
		Topic:   topic,
		Key:     sarama.StringEncoder(fmt.Sprintf("item:%d", item)),
		Value:   sarama.StringEncoder(fmt.Sprintf(`{"item":%d,"cents":%d}`, item, cents)),
		Headers: []sarama.RecordHeader{{Key: []byte("source"), Value: []byte("sarama")}},
	}
}

func prices(topic string, count int) []*sarama.ProducerMessage {
	var messages []*sarama.ProducerMessage
	for i := 0; i < count; i++ {
		messages = append(messages, price(topic, i, i*7%1000))
	}
	// Every fifth gets cheaper, and every tenth is sold out: without a value the record deletes.
	for i := 0; i < count; i += 5 {
		messages = append(messages, price(topic, i, 1))
	}
	for i := 3; i < count; i += 10 {
		key := sarama.StringEncoder(fmt.Sprintf("item:%d", i))
		messages = append(messages, &sarama.ProducerMessage{Topic: topic, Key: key})
	}
	return messages
}

func produce(brokers, topic string, count int) error {
	// The partitioner stays sarama's default, which is FNV-1a.
	config := sarama.NewConfig()
	config.Producer.Compression = sarama.CompressionGZIP
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
	messages := prices(topic, count)
	for len(messages) > 0 {
		some := messages[:min(together, len(messages))]
		// Returns when all in-sync replicas have the records.
		if err := producer.SendMessages(some); err != nil {
			return err
		}
		messages = messages[len(some):]
	}
	fmt.Printf("prices of %d items are in %s\n", count, topic)
	return nil
}

func main() {
	count, err := strconv.Atoi(os.Args[3])
	if err == nil {
		err = produce(os.Args[1], os.Args[2], count)
	}
	if err != nil {
		log.Fatal(err)
	}
}
