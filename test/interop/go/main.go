// Reads and writes through go-redis; prints one line per fact, which the test compares.
package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/redis/go-redis/v9"
)

func main() {
	ctx := context.Background()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + os.Args[1]})
	defer client.Close()
	fmt.Println("ping", client.Ping(ctx).Val())
	fmt.Println("set", client.Set(ctx, "go", "hello", 0).Val())
	fmt.Println("get", client.Get(ctx, "go").Val())
	_, err := client.Get(ctx, "go-missing").Result()
	fmt.Println("missing", err == redis.Nil)
	large := bytes.Repeat([]byte{0, 13, 10, 255}, 256*1024)
	client.Set(ctx, "go-large", large, 0)
	got, _ := client.Get(ctx, "go-large").Bytes()
	fmt.Println("large", bytes.Equal(got, large))
	pipe := client.Pipeline()
	gets := make([]*redis.StringCmd, 1000)
	for i := range gets {
		pipe.Set(ctx, fmt.Sprintf("go:%d", i), i, 0)
		gets[i] = pipe.Get(ctx, fmt.Sprintf("go:%d", i))
	}
	_, err = pipe.Exec(ctx)
	right := err == nil
	for i, get := range gets {
		right = right && get.Val() == fmt.Sprint(i)
	}
	fmt.Println("pipeline", right)
	_, err = client.TxPipelined(ctx, func(tx redis.Pipeliner) error { return tx.Set(ctx, "go-multi", "x", 0).Err() })
	fmt.Println("multi refused", err != nil && strings.Contains(err.Error(), "nothing was carried out"), client.Exists(ctx, "go-multi").Val())
	batched := redis.NewClient(&redis.Options{Addr: "127.0.0.1:" + os.Args[1], Username: "batched", Password: "-"})
	defer batched.Close()
	var multi *redis.StringCmd
	_, err = batched.TxPipelined(ctx, func(tx redis.Pipeliner) error {
		tx.Set(ctx, "go-multi", "x", 0)
		multi = tx.Get(ctx, "go-multi")
		return nil
	})
	fmt.Println("batch", err, multi.Val())
	seen := map[string]bool{}
	scan := client.Scan(ctx, 0, "go:*", 100).Iterator()
	for scan.Next(ctx) {
		seen[scan.Val()] = true
	}
	fmt.Println("scan", len(seen), scan.Err())
	fmt.Println("del", client.Del(ctx, "go", "go-missing").Val())
	fmt.Println("incr refused", client.Incr(ctx, "go").Err() != nil)
}
