/* The data sets that are known. */
#include "core/data/sets.h"

#include <string.h>

#define MNIST_URL "https://storage.googleapis.com/cvdf-datasets/mnist/"
#define FASHION_URL "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/"
#define CIFAR_URL "https://www.cs.toronto.edu/~kriz/"
#define TRAIN_IMAGES "train-images-idx3-ubyte.gz"
#define TRAIN_LABELS "train-labels-idx1-ubyte.gz"
#define TEST_IMAGES "t10k-images-idx3-ubyte.gz"
#define TEST_LABELS "t10k-labels-idx1-ubyte.gz"

/* clang-format off */
static const struct skl_file cifar10_archive = {
    "cifar-10-binary.tar.gz", CIFAR_URL "cifar-10-binary.tar.gz", 170052171,
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"};
static const struct skl_file cifar100_archive = {
    "cifar-100-binary.tar.gz", CIFAR_URL "cifar-100-binary.tar.gz", 168513733,
    "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"};

static const struct skl_set table[] = {
    {.name = "cifar10", .title = "CIFAR-10", .size = 32, .channels = 3, .classes = 10,
     .archive = &cifar10_archive, .folder = "cifar-10-batches-bin", .read = skl_cifar10_open,
     .python = "cifar-10-batches-py", .python_file = "data_batch_1", .python_archive = "cifar-10-python.tar.gz",
     .files = {
         {"data_batch_1.bin", NULL, 30730000, "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"},
         {"data_batch_2.bin", NULL, 30730000, "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"},
         {"data_batch_3.bin", NULL, 30730000, "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"},
         {"data_batch_4.bin", NULL, 30730000, "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"},
         {"data_batch_5.bin", NULL, 30730000, "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"},
         {"test_batch.bin", NULL, 30730000, "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"}}},
    {.name = "cifar100", .title = "CIFAR-100 (fine labels)", .size = 32, .channels = 3, .classes = 100,
     .archive = &cifar100_archive, .folder = "cifar-100-binary", .read = skl_cifar100_open,
     .python = "cifar-100-python", .python_file = "meta", .python_archive = "cifar-100-python.tar.gz",
     .files = {
         {"train.bin", NULL, 153700000, "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29"},
         {"test.bin", NULL, 30740000, "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a"}}},
    {.name = "fashion-mnist", .title = "Fashion-MNIST", .size = 32, .channels = 1, .classes = 10,
     .package = "dataset-fashion-mnist", .torchvision = "FashionMNIST/raw", .read = skl_idx_open,
     .files = {
         {TRAIN_IMAGES, FASHION_URL TRAIN_IMAGES, 26421880,
          "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"},
         {TRAIN_LABELS, FASHION_URL TRAIN_LABELS, 29515,
          "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"},
         {TEST_IMAGES, FASHION_URL TEST_IMAGES, 4422102,
          "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"},
         {TEST_LABELS, FASHION_URL TEST_LABELS, 5148,
          "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"}}},
    {.name = "mnist", .title = "MNIST", .size = 32, .channels = 1, .classes = 10,
     .torchvision = "MNIST/raw", .read = skl_idx_open,
     .files = {
         {TRAIN_IMAGES, MNIST_URL TRAIN_IMAGES, 9912422,
          "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"},
         {TRAIN_LABELS, MNIST_URL TRAIN_LABELS, 28881,
          "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"},
         {TEST_IMAGES, MNIST_URL TEST_IMAGES, 1648877,
          "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"},
         {TEST_LABELS, MNIST_URL TEST_LABELS, 4542,
          "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"}}},
    {.name = "folder", .title = "JPEG and PNG pictures of your own, train/CLASS/... and val/CLASS/... in data.path",
     .channels = 3, .pictures = true, .read = skl_folder_open},
    {.name = "synthetic", .title = "gratings, computed; no files", .read = skl_synthetic_open},
};
/* clang-format on */
enum { SETS = sizeof table / sizeof *table };

const struct skl_set *skl_set_get(int i) { return i >= 0 && i < SETS ? &table[i] : NULL; }

const char *const *skl_dataset_names(void)
{
    static const char *const names[] = {"cifar10", "cifar100", "fashion-mnist", "mnist", "folder", "synthetic", NULL};
    _Static_assert(sizeof names / sizeof *names == SETS + 1, "a name for each row of the table");
    return names;
}

bool skl_dataset_has_files(const char *name)
{
    const struct skl_set *set;
    return !skl_set_find(name, &set, NULL) && (set->files[0].name || set->pictures);
}

int skl_set_find(const char *name, const struct skl_set **set, struct skl_err *err)
{
    for (int i = 0; i < SETS; i++) {
        *set = &table[i];
        if (strcmp(table[i].name, name) == 0) return SKL_OK;
    }
    *set = NULL;
    const char *near = skl_nearest(name, skl_dataset_names());
    return skl_fail(err, SKL_USAGE, "unknown dataset '%s' (%s%s%s)", name,
                    near ? "did you mean '" : "'skiplab data' lists them", near ? near : "", near ? "'?" : "");
}
