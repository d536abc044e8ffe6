// TLS, user and password through go-redis; prints one line per fact. Arguments: port, CA, user, password.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
	"regexp"

	"github.com/redis/go-redis/v9"
)

var ctx = context.Background()

func outcome(err error) string {
	if err == nil {
		return "taken"
	}
	if found := regexp.MustCompile("NOAUTH|WRONGPASS").FindString(err.Error()); found != "" {
		return found
	}
	return err.Error()
}

func main() {
	port, user, password := os.Args[1], os.Args[3], os.Args[4]
	pem, err := os.ReadFile(os.Args[2])
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	config := &tls.Config{RootCAs: roots, ServerName: "localhost"}
	open := func(user, password string) *redis.Client {
		return redis.NewClient(&redis.Options{
			Addr: "localhost:" + port, Username: user, Password: password, TLSConfig: config, MaxRetries: -1,
		})
	}
	client := open(user, password)
	fmt.Println("set", client.Set(ctx, "secure:go-redis", "value", 0).Val())
	fmt.Println("get", client.Get(ctx, "secure:go-redis").Val())
	fmt.Println("whoami", client.Do(ctx, "ACL", "WHOAMI").Val())
	fmt.Println("stranger", outcome(open("", "").Get(ctx, "secure:go-redis").Err()))
	fmt.Println("wrong", outcome(open(user, "wrong").Get(ctx, "secure:go-redis").Err()))
	options, err := redis.ParseURL("rediss://" + user + ":" + url.QueryEscape(password) + "@localhost:" + port)
	if err != nil {
		panic(err)
	}
	options.TLSConfig.RootCAs = roots
	fmt.Println("url", redis.NewClient(options).Get(ctx, "secure:go-redis").Val())
}
