// Reads and writes through go-redis; prints one line per fact, which the test compares. Argument: port.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

var ctx = context.Background()

func connect(user string) *redis.Client {
	options := &redis.Options{Addr: "127.0.0.1:" + os.Args[1], MaxRetries: -1}
	if user != "" {
		options.Username, options.Password = user, "-"
	}
	return redis.NewClient(options)
}

func refused(err error) string {
	if err == nil {
		return "taken"
	}
	return "refused: " + strings.SplitN(err.Error(), " ", 2)[0]
}

func texts(values []any) string {
	words := make([]string, len(values))
	for i, value := range values {
		if value == nil {
			value = "-"
		}
		words[i] = fmt.Sprint(value)
	}
	return strings.Join(words, " ")
}

func main() {
	client := connect("")
	defer client.Close()
	fmt.Println("ping", client.Ping(ctx).Val())
	client.Set(ctx, "\x00go\xff", "\r\n\x00\xff", 0)
	fmt.Println("binary", client.Get(ctx, "\x00go\xff").Val() == "\r\n\x00\xff")
	fmt.Println("missing", client.Get(ctx, "none").Err() == redis.Nil)
	large := bytes.Repeat([]byte{0, 13, 10, 255}, 256*1024)
	client.Set(ctx, "large", large, 0)
	got, _ := client.Get(ctx, "large").Bytes()
	fmt.Println("large", bytes.Equal(got, large))
	client.Set(ctx, "short", "x", 100*time.Second)
	ttl := client.TTL(ctx, "short").Val()
	fmt.Println("expiry", ttl > 0 && ttl <= 100*time.Second)

	pipe := client.Pipeline()
	gets := make([]*redis.StringCmd, 1000)
	for i := range gets {
		pipe.Set(ctx, fmt.Sprintf("p:%d", i), i, 0)
		gets[i] = pipe.Get(ctx, fmt.Sprintf("p:%d", i))
	}
	pipe.Exec(ctx)
	right := 0
	for i, get := range gets {
		if get.Err() == nil && get.Val() == fmt.Sprint(i) {
			right++
		}
	}
	fmt.Println("pipeline", right)

	_, err := client.TxPipelined(ctx, func(multi redis.Pipeliner) error {
		multi.Set(ctx, "m:1", 1, 0)
		multi.Set(ctx, "m:2", 2, 0)
		return nil
	})
	fmt.Println("multi", refused(err), "left", client.Exists(ctx, "m:1", "m:2").Val())
	batched := connect("batched")
	defer batched.Close()
	batch := batched.TxPipeline()
	set, get, del := batch.Set(ctx, "b:1", 1, 0), batch.Get(ctx, "b:1"), batch.Del(ctx, "b:1")
	batch.Exec(ctx)
	fmt.Println("batch", set.Val(), get.Val(), del.Val())

	fill := batched.Pipeline()
	for i := 0; i < 1000; i++ {
		fill.Set(ctx, fmt.Sprintf("f:%d", i), i, 0)
	}
	fill.Exec(ctx)
	flushed, left := batched.FlushDB(ctx).Val(), batched.DBSize(ctx).Val()
	fmt.Printf("flush %s left %d, %s left %d\n", flushed, left, refused(client.FlushDB(ctx).Err()), client.Exists(ctx, "p:1").Val())

	seen := map[string]bool{}
	scan := client.Scan(ctx, 0, "p:*", 100).Iterator()
	for scan.Next(ctx) {
		seen[scan.Val()] = true
	}
	fmt.Println("scan", len(seen))

	missed := 0
	pool := make([]*redis.Conn, 10)
	for i := range pool {
		pool[i] = client.Conn()
		defer pool[i].Close()
	}
	for i := 0; i < 1000; i++ {
		key := fmt.Sprintf("pool:%d", i%7)
		pool[i%10].Set(ctx, key, i, 0)
		if pool[(i+1)%10].Get(ctx, key).Val() != fmt.Sprint(i) {
			missed++
		}
	}
	fmt.Println("pool missed", missed)

	fmt.Println("cache", client.MSet(ctx, "c:1", "a", "c:2", "b").Val(), texts(client.MGet(ctx, "c:1", "c:2", "c:3").Val()))
	err = client.Incr(ctx, "limit").Err()
	fmt.Println("limiter", refused(err), "left", client.Exists(ctx, "limit").Val())
	fmt.Println("touch", refused(client.Expire(ctx, "short", 50*time.Second).Err()))
	stray := connect("nosuch")
	defer stray.Close()
	strayed := stray.Set(ctx, "stray", 1, 0).Err()
	fmt.Println("nowhere", strayed != nil, "left", client.Exists(ctx, "stray").Val())
	fmt.Println("del", client.Del(ctx, "short", "none").Val(), client.Exists(ctx, "short").Val())
}
