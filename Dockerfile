# One image for every app: `docker run levee dist/apps/<app>/src/main.js`.
FROM node:20-bookworm-slim AS build
WORKDIR /levee
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY tsconfig.json nest-cli.json ./
COPY tools tools
COPY schemas schemas
COPY libs libs
COPY apps apps
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:20-bookworm-slim
# LevelDB works in libuv's thread pool, which is sized before the process starts; malloc too is told then to give memory back
# (tools/cluster/allocator.cjs).
ENV NODE_ENV=production UV_THREADPOOL_SIZE=4 NODE_OPTIONS=--max-semi-space-size=32 MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=131072 MALLOC_TRIM_THRESHOLD_=131072 LEVEE_HOST=0.0.0.0 LEVEE_AUTH=on LEVEE_DATA_DIR=/data
WORKDIR /levee
COPY --from=build /levee/package.json ./
COPY --from=build /levee/node_modules node_modules
COPY --from=build /levee/schemas schemas
COPY --from=build /levee/dist dist
RUN mkdir /data && chown node:node /data
# The user node, by its number: so whoever starts the image can tell that it is not root.
USER 1000:1000
VOLUME /data
STOPSIGNAL SIGTERM
ENTRYPOINT ["node"]
CMD ["dist/apps/standalone/src/main.js"]
