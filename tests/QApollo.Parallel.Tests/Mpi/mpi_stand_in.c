// The functions of MPI that the program uses, between threads of this process: each that calls MPI_Init_thread is the next rank. Handles and
// constants are those of the binary interface that it is compiled for; any others are refused.
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#ifdef STANDARD_ABI
typedef struct any *Handle; // MPI 5.0: as wide as a pointer
#define WORLD ((Handle)0x101)
#define BYTE ((Handle)0x247)
enum { FUNNELED = 1024, SERIALIZED = 2048, MULTIPLE = 4096 };
#define NAME "stand-in of the standard ABI"
#else
typedef int Handle; // MPICH and MS-MPI
#define WORLD ((Handle)0x44000000)
#define BYTE ((Handle)0x4c00010d)
enum { FUNNELED = 1, SERIALIZED = 2, MULTIPLE = 3 };
#define NAME "Stand-in MPI 10.1,\n  of 32-bit handles"
#endif

enum { SUCCESS = 0, ERR_TYPE = 3, ERR_COMM = 5, ERR_ARG = 12, MOST = 16 };

static int size, joined, finalized;
static pthread_barrier_t meeting;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const char *sent[MOST];
static _Thread_local int own_rank = -1;

void stand_in_start(int ranks) {
    size = ranks;
    joined = finalized = 0;
    pthread_barrier_init(&meeting, 0, ranks);
}
int stand_in_finalized(void) { return finalized; }

static void offer(const void *bytes) {
    sent[own_rank] = bytes;
    pthread_barrier_wait(&meeting);
}

int MPI_Init_thread(int *argc, char ***argv, int required, int *provided) {
    if (argc || argv || required < FUNNELED || required > MULTIPLE) return ERR_ARG;
    pthread_mutex_lock(&lock);
    own_rank = joined++;
    pthread_mutex_unlock(&lock);
    *provided = required;
    return SUCCESS;
}
int MPI_Comm_rank(Handle communicator, int *rank) { *rank = own_rank; return communicator == WORLD ? SUCCESS : ERR_COMM; }
int MPI_Comm_size(Handle communicator, int *ranks) { *ranks = size; return communicator == WORLD ? SUCCESS : ERR_COMM; }
int MPI_Alltoall(const void *from, int count, Handle type, void *to, int receive_count, Handle receive_type, Handle communicator) {
    if (communicator != WORLD) return ERR_COMM;
    if (type != BYTE || receive_type != BYTE) return ERR_TYPE;
    if (count != receive_count) return ERR_ARG;
    offer(from);
    for (int rank = 0; rank < size; rank++) memcpy((char *)to + (size_t)rank * count, sent[rank] + (size_t)own_rank * count, count);
    pthread_barrier_wait(&meeting);
    return SUCCESS;
}
int MPI_Allgather(const void *from, int count, Handle type, void *to, int receive_count, Handle receive_type, Handle communicator) {
    if (communicator != WORLD) return ERR_COMM;
    if (type != BYTE || receive_type != BYTE) return ERR_TYPE;
    if (count != receive_count) return ERR_ARG;
    offer(from);
    for (int rank = 0; rank < size; rank++) memcpy((char *)to + (size_t)rank * count, sent[rank], count);
    pthread_barrier_wait(&meeting);
    return SUCCESS;
}
int MPI_Bcast(void *bytes, int count, Handle type, int root, Handle communicator) {
    if (communicator != WORLD) return ERR_COMM;
    if (type != BYTE) return ERR_TYPE;
    offer(bytes);
    if (own_rank != root) memcpy(bytes, sent[root], count);
    pthread_barrier_wait(&meeting);
    return SUCCESS;
}
int MPI_Barrier(Handle communicator) {
    if (communicator != WORLD) return ERR_COMM;
    pthread_barrier_wait(&meeting);
    return SUCCESS;
}
int MPI_Abort(Handle communicator, int code) { (void)code; return communicator == WORLD ? SUCCESS : ERR_COMM; }
int MPI_Finalize(void) {
    pthread_mutex_lock(&lock);
    finalized++;
    pthread_mutex_unlock(&lock);
    return SUCCESS;
}
int MPI_Get_library_version(char *version, int *length) { *length = sprintf(version, NAME); return SUCCESS; }
